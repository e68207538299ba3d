"""The parameters that make an expression smallest: a start and a method go in, a minimum comes out.

Read `packing` (several parameters as one vector) and `parameter_bounds`, `unchanging` (what data alone gives, computed
once), `objective` (an expression as a function of that vector, with its gradient and Hessian-vector products) and
`batches` (the same over some of the rows of its data); then gradcli's own methods: `point` (what they have in common),
`updates` (steps along the gradient), `line_search` and `lbfgs`; `methods` has a row for each, SciPy's too. `iterate` is
what is told of a step, `driver` takes one step after the other, `scipy_methods` lets SciPy do so (`simplex` where
bounds get in its way), and `minimum` is the call that puts all together. `extra` finds SciPy. What a run leaves while
it goes: `trace`, `checkpoint` and `course` (to plot), which `logbook` tells of each step; `minimum_report` is the
minimum as text and JSON.

A model fitted to data is one of many residuals: `model` takes its text apart, `residuals` computes it with its Jacobian
in one plan, `problem` has the data with it, checked; `nonlinear` takes the steps, `statistics` tells the errors of the
parameters, `fitting` is the call that puts all together; `fit_report` is its text, `fit_curves` what is drawn of it.
"""
