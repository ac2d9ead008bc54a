package browser

// WebDriver and WebDriver BiDi describe input in the same way (WebDriver 2, section 17).

type action map[string]any

// pressActions are the keys going down in their order, and up in the opposite one.
func pressActions(keys []key) []action {
	var steps []action
	for _, k := range keys {
		steps = append(steps, action{"type": "keyDown", "value": k.value})
	}
	for i := range keys {
		steps = append(steps, action{"type": "keyUp", "value": keys[len(keys)-1-i].value})
	}
	return []action{{"type": "key", "id": "keyboard", "actions": steps}}
}

func clickActions(x, y int) []action {
	return []action{{
		"type": "pointer", "id": "mouse", "parameters": action{"pointerType": "mouse"},
		"actions": []action{
			{"type": "pointerMove", "x": x, "y": y, "duration": 0, "origin": "viewport"},
			{"type": "pointerDown", "button": 0},
			{"type": "pointerUp", "button": 0},
		},
	}}
}

// insertScript writes text at the caret as an edit of the user's, which can be undone
// and causes the same events.
const insertScript = `document.execCommand('insertText', false, %s)`
