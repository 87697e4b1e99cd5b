"""Many runs: which of them remain, who performs them, locks, and estimates.

What happens inside a single run belongs to `run/`; printing belongs to `cli/`.
"""
