"""Programs that measure this tree: its weight, its surface, and mutants of it. Nothing of the product imports them."""
