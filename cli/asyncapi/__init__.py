"""The AsyncAPI document: subjects, messages and JSON Schemas, made from the code."""
