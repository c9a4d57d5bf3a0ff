"""
Time and memory of relcli beside its peers, each in a process of its own: `python -m benchmarks.run`.

`rows/` holds what is measured, one family a file; `contenders/` what runs in the processes, one library a file.
`recommending.py` measures how good the choices of `relcli recommend` are, not how fast.
"""
