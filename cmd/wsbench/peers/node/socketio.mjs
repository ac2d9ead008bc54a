// A Socket.IO server with the two events that wsbench's file for it speaks:
// "join" adds the socket to a room and is acknowledged, "publish" sends its second
// argument to everybody in the room of the first.
//
//	node socketio.mjs --port 9003
//	wsbench fanout --scenario socketio --url 'ws://127.0.0.1:9003/socket.io/?EIO=4&transport=websocket' …
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { Server } from 'socket.io'

const { values } = parseArgs({ options: { port: { type: 'string', default: '9003' } } })
const http = createServer()
const io = new Server(http, { pingInterval: 500, pingTimeout: 400 }) // often, so that a short run meets one
io.on('connection', (socket) => {
  socket.on('join', (room, done) => {
    socket.join(room)
    done()
  })
  socket.on('publish', (room, payload) => io.to(room).emit('message', payload))
})
http.listen(Number(values.port), '127.0.0.1', 4096)
