"""Record after record: inputs come through a pipe or from files, answers go out in the same order, none held back."""
