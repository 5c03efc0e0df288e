"""A fit of one text field's topics.

`marks` names what is kept of a field between builds, `field` reads and tells it, `assign` decides between assigning new
texts and a fit, and `fit` commits a fit. All but `marks` load the analysis, which takes seconds to import.
"""
