"""Classification of the supervisor's reply.

classifier.py    a chat model with tools, checked by the rules; the rules alone if there is no model
rules.py         the built-in classifier, for English
no_patterns.py   regular expressions for a no, a voicemail greeting, a question
yes_patterns.py  regular expressions for a yes
"""
