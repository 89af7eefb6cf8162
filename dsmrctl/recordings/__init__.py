"""Recordings: frames or telegrams with their times, in a file.

Ours are NDJSON (`.ndjson`, `.ndjson.gz`) or pcapng; tcpdump's and Wireshark's files are read too.
Whatever cuts a file short, all that was whole before is read.
"""
