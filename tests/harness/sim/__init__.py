"""One simulator of a whole network: everything that decides is the product's own, everything around it is drawn.

    real        engine, vote journal (bytes in files), signer guard, office and epochs, block rules, catch-up answers
    drawn       clock, network, disk (torn and lost writes), crashes, villains, people and their transactions

`options.py` says what a seed decides, `cluster.py` plays it, `watch.py` and `conservation.py` are the promises that
must hold, `run.py` is `make sim`. One seed is one run, byte for byte.
"""
