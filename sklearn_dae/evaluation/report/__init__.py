"""The comparison of codecs that ends in a verdict and a page.

In flow images; `_contenders` names the codecs with loss and their settings, `_bounded`
those with a bound on errors, `_outcome` carries out one trial, `_experiment` all of
them, into an `Evaluation`. Out flow its numbers (`_findings`), a verdict in words, and
a page with pictures (`_pictures`); all sentences stand in `templates/`. One more codec
to compare with is a line in `_contenders` or `_bounded`; one more section of the page
is a part of its template and the numbers for it in `_page`.

Users import from `sklearn_dae.evaluation`.
"""
