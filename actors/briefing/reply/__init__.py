"""Classification of the supervisor's reply."""
