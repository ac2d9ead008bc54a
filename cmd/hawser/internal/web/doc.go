// Package web is the chat page, embedded in the binary: plain HTML, CSS and
// ECMAScript modules, used by the browser as they stand.
//
// It serves files and knows nothing of the server that it is part of. What the page
// says to that server is written in chat/PROTOCOL.md, and nothing else is used.
//
// Read handler.go for how the files are served. In the page, read app.js first. The
// modules in page/chat are the client of the protocol and touch no element:
// connection.js is one lasting connection, requests.js pairs answers with questions,
// conversation.js holds messages by seq, outbox.js what is not acknowledged, and
// client.js ties them together. The modules in page/view show it, each one its part;
// they put text into the page as text only, which the Content-Security-Policy
// enforces.
package web
