"""What tests of several folders share: commands, sweeps that fail on purpose, runs in this process.

Helpers of one folder's tests stay beside those tests.
"""
