"""Derivatives as functions: Jacobians, Hessians, products with them, and checks against differences."""
