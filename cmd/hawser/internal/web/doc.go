// Package web is the chat page, embedded in the binary: plain HTML, CSS and
// ECMAScript modules. The modules reach the browser as one script, bundle.js, which is
// made of them by go generate and committed: the build needs no other tool than Go, and
// the page no more than four requests. A test fails if it is out of date.
//
// It serves files and knows nothing of the server that it is part of. What the page
// says to that server is written in chat/PROTOCOL.md, and nothing else is used.
//
// Read handler.go for how the files are served. In the page, read app.js first. The
// modules in page/chat are the client of the protocol and touch no element:
// identity.js is who one is, in all tabs of a browser, session.js a tab's log-in,
// connection.js one lasting connection, requests.js pairs answers with questions,
// conversation.js holds messages by seq, resume.js asks for what was missed, membership.js
// is about the rooms one is in, outbox.js what is not acknowledged, and client.js ties them
// together. The modules in page/view show it, each one its part; they put text into the
// page as text only, which the Content-Security-Policy enforces.
package web
