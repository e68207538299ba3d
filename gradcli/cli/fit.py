"""`gradcli fit`: a model, data and values to start from in; parameters with their errors out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gradcli.cli import options
from gradcli.cli.asked import first_of, settle
from gradcli.cli.inputs import bounds_of, load_all, option_inputs, parse_inputs, refuse_sharing
from gradcli.cli.options import CommonOptions
from gradcli.cli.output_files import Outputs, refuse_read
from gradcli.cli.plot import Range, form_of, plot_of
from gradcli.cli.printing import note, write_pieces, write_text
from gradcli.errors import GradcliError, quoted, told_of
from gradcli.evaluation.input_value import InputValue, split_outside
from gradcli.optimize.extra import LOSSES
from gradcli.optimize.model import split_model

if TYPE_CHECKING:
    from gradcli.optimize.fitting import Fit

HELP = """Fit a model to data by least squares.

MODEL is `observed = predicted`. Its parameters are named in --params with their starting values; its other inputs are
data. Prints each parameter with its standard error, the correlations, and how good the fit is: the AIC is n*log(χ²/n)
+ 2*p for n observations and p parameters.

Everything is computed with exact derivatives by SciPy: pip install "gradcli[fit]". A fit that does not converge, or
whose data do not determine the parameters, is an error and writes nothing.

\b
Examples:
  gradcli fit 'y = a*exp(-b*t) + c' y=@data.csv:y t=@data.csv:t --params a=1,b=1,c=0
  gradcli fit 'y = a*t/(b + t)' y=y.npy t=t.npy --params a=1,b=1 --bounds b=0: --at t=0:10:200 --predict curve.csv
"""

# What can be written beside the parameters.
_MORE = ("covariance", "correlation", "residuals", "prediction", "band")
# Where a parameter begins among several: after a comma, with its name.
_NEXT = re.compile(r",\s*[^\W\d]\w*\s*=(?!=)")
# Where another one begins without a comma.
_ANOTHER = re.compile(r"[\s;]\s*[^\W\d]\w*\s*=(?!=)")


@options.command("fit", HELP, "MODEL NAME=VALUE...")
@options.several(
    "--params",
    "starts",
    metavar="NAME=VALUE,...",
    kind="params",
    text="Parameters and their starting values: a=1,b=0 or 'w=[1,2]'; may be given several times.",
)
@options.names(
    "--sigma",
    "Uncertainty of the observations: a number, the name of an input, or a VALUE such as a file.",
    "VALUE",
    "vector",
)
@options.flag(
    "--absolute-sigma", "Use sigma in absolute units for the standard errors [default: only as relative weights]."
)
@options.choice(
    "--loss",
    LOSSES,
    "Loss of the residuals: squares, or a robust loss that grows more slowly for large ones.",
    "linear",
    shown=True,
)
@click.option(
    "--f-scale",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="Residual from which a robust loss applies, in units of sigma [default: 1].",
)
@options.bounds("params")
@options.number("--max-evaluations", "Give up after N evaluations of the model [default: 10,000].", 1, default=10_000)
@options.values("--at", "Predict at this input, also as t=0:10:200 [default: at the data]; may be given several times.")
@options.path("--predict", metavar="PATH", text="Write the predictions of the fitted model to PATH.")
@options.picture(
    "--plot", "Plot data, model, 95 % confidence band and residuals, in the terminal or to FILE.svg or FILE.png."
)
@options.source
@options.outputs(
    "Write a parameter, covariance, correlation, residuals, prediction or band to PATH (- is standard output), in "
    "the format of its extension, or as .npy; -o DIR/ writes parameters and covariance into a folder."
)
@options.json()
@options.choice("--dtype", ["float32", "float64"], "Dtype to compute in [default: float64].", "float64")
@options.seed()
@options.threads()
@options.limits
@options.quiet("No notes; with -o, no text either.")
def fit_command(
    common: CommonOptions,
    starts: tuple[str, ...],
    sigma: str | None,
    absolute_sigma: bool,
    loss: str,
    f_scale: float | None,
    limits: tuple[str, ...],
    max_evaluations: int,
    at: tuple[str, ...],
    predict: str | None,
    plot: str | None,
    outputs: tuple[str, ...],
) -> None:
    if f_scale is not None and loss == LOSSES[0]:
        others = ", ".join(LOSSES[1:])
        raise GradcliError(f"--f-scale is not for --loss {loss}, which has no scale", hint=f"it applies to {others}")
    words, source = list(common.items), common.source
    model = first_of(words, common, split_model) if source is None else None
    given = _Given(parse_inputs(words), _params(starts), _sigma(sigma, words), option_inputs("--at", at, Range.written))
    refuse_sharing([source, *(value.path for value in given.values())])
    model = model or first_of(words, common, split_model)
    places = _Destinations(outputs, predict, plot, [value.name for value in given.params])
    places.check(common.as_json)
    refuse_read([predict, plot], [source, *(value.path for value in given.values())])
    bounds = bounds_of(limits)
    data, params, errors, points = given.load(common)
    from gradcli.optimize.fitting import fit

    found = fit(
        model,
        data,
        params,
        sigma=errors,
        absolute_sigma=absolute_sigma,
        loss=loss,
        f_scale=1.0 if f_scale is None else f_scale,
        bounds=bounds,
        dtype=common.dtype or "float64",
        max_evaluations=max_evaluations,
    )
    predicts = at or {"prediction", "band"} & places.targets.targets.keys()
    prediction = _Prediction.of(found, points) if predicts else None
    places.save(found, prediction)
    for text in () if common.quiet else found.notes:
        note(text)
    if not places.targets.standard_output and not (common.quiet and places.targets and not common.as_json):
        _show(found, prediction, common.as_json)
        if plot == "":
            write_pieces(["\n", plot_of(found.curves())])


def _show(found: Fit, prediction: _Prediction | None, as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        from gradcli.render.json import json_pieces

        more = {} if prediction is None else {"prediction": prediction._asdict()}
        write_pieces(json_pieces({**found.report(), **more}))
        return
    write_text(found.text())
    if prediction is not None and prediction.at:
        write_pieces(["\n", *prediction.pieces()])


# What is given --------------------------------------------------------------------------------------------------------


class _Given(NamedTuple):
    """What the command line gives beside the model: data, parameters, sigma, and inputs to predict with."""

    inputs: list[InputValue]
    params: list[InputValue]
    sigma: InputValue | str | None
    at: list[InputValue]

    def values(self) -> list[InputValue]:
        return [*self.inputs, *self.params, *([self.sigma] if isinstance(self.sigma, InputValue) else []), *self.at]

    def load(self, common: CommonOptions) -> tuple[dict[str, Any], dict[str, Any], Any, dict[str, Any]]:
        """The same as arrays, in a context that computes in the dtype that was asked for; sigma may be a name."""
        from gradcli.storage.file_array import in_memory

        settle(common)
        arrays = iter([in_memory(array) for array in load_all([(value, common.dtype) for value in self.values()])])
        inputs = {value.name: next(arrays) for value in self.inputs}
        params = {value.name: next(arrays) for value in self.params}
        sigma = next(arrays) if isinstance(self.sigma, InputValue) else self.sigma
        return inputs, params, sigma, {value.name: next(arrays) for value in self.at}


def _params(starts: tuple[str, ...]) -> list[InputValue]:
    """The parameters of all --params options."""
    if not starts:
        hint = "name the parameters and their starting values, as in --params a=1,b=1"
        raise GradcliError("no parameter is given", hint=hint)
    words = [word for start in starts for word in split_outside(start, _NEXT)]
    for word in words:
        if "=" not in word:
            hint = "give every parameter a starting value, as in --params a=1,b=0"
            raise GradcliError(f"--params: {quoted(word.strip())} is not a parameter with a starting value", hint=hint)
        if len(split_outside(word.strip(), _ANOTHER)) > 1:
            hint = "commas stand between parameters, as in --params a=1,b=0"
            raise GradcliError(f"--params: {quoted(word.strip())} is more than one parameter", hint=hint)
    with told_of("--params"):
        return parse_inputs(words, what="parameter")


def _sigma(sigma: str | None, words: list[str]) -> InputValue | str | None:
    """What --sigma stands for: the name of an input, or a value."""
    if sigma is None or sigma.strip() in [word.partition("=")[0].strip() for word in words]:
        return None if sigma is None else sigma.strip()
    return InputValue.written("--sigma", sigma)


# Where it goes --------------------------------------------------------------------------------------------------------


class _Prediction(NamedTuple):
    """What the model gives with the parameters found, its standard errors, and the band of 95 %."""

    at: dict[str, Any]
    value: Any
    error: Any
    low: Any
    high: Any

    @classmethod
    def of(cls, found: Fit, at: dict[str, Any]) -> _Prediction:
        tensors = found.predict(at), found.prediction_errors(at), *found.band(at)
        return cls(at, *[tensor.value() for tensor in tensors])

    def pieces(self) -> Iterator[str]:
        """The values, and the standard errors below them."""
        from gradcli.render.marks import Heading
        from gradcli.render.text import tensor_pieces

        for title, array in (("prediction", self.value), ("standard error", self.error)):
            yield from ("" if title == "prediction" else "\n\n", Heading(title), "\n")
            yield from tensor_pieces(array)


class _Destinations:
    """Where results go: files, a folder, a picture."""

    def __init__(self, outputs: tuple[str, ...], predict: str | None, plot: str | None, names: list[str]) -> None:
        options = outputs if predict is None else (*outputs, f"prediction={predict}")
        twice = [name for name in names if name in _MORE]
        if twice and options:
            hint = "choose another name for the parameter"
            raise GradcliError(f"{twice[0]} is a parameter, and one of the results that can be written", hint=hint)
        self.targets = Outputs(options, [], None, [*names, *_MORE], value=False)
        self.plot = plot

    def check(self, as_json: bool) -> None:
        """Refuse, before anything is computed, what can already be seen not to be writable."""
        self.targets.check()
        self.targets.refuse_beside(as_json, self.plot, "fit.svg")
        if self.plot:
            from gradcli.plotting.figure import require
            from gradcli.storage.target import check_folder, find_target

            require(form_of(self.plot, "name it FILE.svg or FILE.png"))
            check_folder(find_target(self.plot))

    def save(self, found: Fit, prediction: _Prediction | None) -> None:
        """Write all results, or none."""
        documents = {}
        if self.plot:
            from gradcli.plotting.figure import figure, title_of

            documents[self.plot] = figure(found.curves(), title_of(found.model), form_of(self.plot, ""))
        if not self.targets and not documents:
            return
        results = {name: tensor.value() for name, tensor in found.parameters.items()}
        kept = [*results, "covariance"]
        results |= {name: getattr(found, name).value() for name in ("covariance", "correlation", "residuals")}
        if prediction is not None:
            import numpy as np

            results |= {"prediction": prediction.value, "band": np.stack([prediction.low, prediction.high])}
        self.targets.save(results, documents, apart=[name for name in results if name not in kept])
