"""The findings of an attack on the reliability: for each mend, the test that fails when it is reverted."""
