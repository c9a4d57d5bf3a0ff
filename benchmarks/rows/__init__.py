"""What is measured: `row` is the contract, each neighbour one family of rows, named in `ROWS`."""
