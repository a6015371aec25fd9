"""The soak: a client that streams, breaks and connects again for half an hour, and what it leaves.

python -m tests.soak [--minutes 30] [--cycle 20] [--seed N]
"""
