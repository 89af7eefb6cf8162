"""The network's side: frames by multicast, and who is there."""
