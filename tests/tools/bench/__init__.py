"""The budgets of the design, measured: `./dev bench`."""
