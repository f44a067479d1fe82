"""The running node: everything that touches a clock, a disk or a socket."""
