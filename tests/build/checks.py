"""Counts what is not as expected, and says it."""


class Checker:
    def __init__(self):
        self.failures = 0
        self.count = 0

    def expect(self, good, what):
        self.count += 1
        if not good:
            self.failures += 1
            print(f"FAILED: {what}", flush=True)
