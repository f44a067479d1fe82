"""What the ledger is made of: bytes, hashes, outputs, records, transactions, blocks, and where they are kept."""
