"""VideoSDK rooms, joined through its agents framework."""
