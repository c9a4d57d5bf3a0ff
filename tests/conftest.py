"""What all tests share: Hypothesis draws the same examples on every run, however slow the machine."""

from hypothesis import settings

settings.register_profile("relcli", derandomize=True, deadline=None)
settings.load_profile("relcli")
