"""What the supervisor's reply means, and who is on the line.

classifier.py  the one path: a chat model with tools beside the rules; the rules alone if there is no model
rules.py       the built-in rules
phrases.py     texts as words; the words of a yes
languages/     the phrases of each language
echo.py        our own words, given back by a speakerphone
short_texts.py results of the rules, kept for short texts
"""
