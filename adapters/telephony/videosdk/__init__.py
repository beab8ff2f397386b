"""VideoSDK's telephony REST API as a provider."""
