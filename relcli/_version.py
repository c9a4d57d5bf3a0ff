"""The version of relcli, in one place."""

VERSION = "0.1.0"
