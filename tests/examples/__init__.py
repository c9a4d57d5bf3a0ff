"""Values such as the commands find, made by hand: figures of runs differ from machine to machine."""
