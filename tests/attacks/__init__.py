"""Attacks on a running network of four validator processes, each tried for real and each watched for harm.

    make attack                 all of them; a table, one JSON object as the last line; exit code 0 if none did harm
    make attack SHORT=1         the form of `make check`

`field.py` is the network and the people on its ledger, `sight.py` what is read off it before and after, `book.py` the
shape of an attack and the list of all, `report.py` the table. An attack is one function: it tries, it notes who refused
it with which code, and it names who it moves lawfully. Whether it did harm is not its own to say: that is observed.
"""
