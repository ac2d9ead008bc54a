// Package web is the chat page, embedded in the binary: plain HTML, CSS and
// ECMAScript modules. The modules reach the browser as one script, bundle.js, which go
// generate makes from them and which is committed: the build needs no tool except Go, and
// the page no more than four requests. A test fails if it is out of date.
//
// It serves files and knows nothing about the server that it is part of. The page speaks
// only chat/PROTOCOL.md to that server.
//
// Read handler.go for how the files are served. In the page, read app.js first. The
// modules in page/chat are the client of the protocol and touch no element:
// identity.js is the user in all tabs of a browser, session.js a tab's log-in,
// connection.js one lasting connection, requests.js pairs answers with requests,
// conversation.js holds messages by seq, resume.js asks for missed messages, membership.js
// holds the user's rooms, outbox.js the unacknowledged messages, and client.js ties them
// together. The modules in page/view each show a part of it; they put text into the page as
// text only, which the Content-Security-Policy enforces.
package web
