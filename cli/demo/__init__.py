"""`wattest demo`: a network of four validators that plays three real plants, and one that cheats."""
