"""Topics of one text field: found by a fit, carried through refits, given to new texts."""
