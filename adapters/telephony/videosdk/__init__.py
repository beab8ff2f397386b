"""Provider for VideoSDK's telephony REST API."""
