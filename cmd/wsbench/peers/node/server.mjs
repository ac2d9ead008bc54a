// Node's ws as a server that can be measured: / echoes each message, /fanout
// sends each to everybody on that path, as its README broadcasts.
//
//	node server.mjs --port 9002
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { WebSocket, WebSocketServer } from 'ws'

const { values } = parseArgs({ options: { port: { type: 'string', default: '9002' } } })
// perMessageDeflate is off by default; the 0s are for no limit.
const options = { noServer: true, maxPayload: 64 << 20, maxFragments: 0, maxBufferedChunks: 0 }

const echo = new WebSocketServer(options)
echo.on('connection', (ws) => {
  ws.on('error', () => {})
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }))
})

const fanout = new WebSocketServer(options)
fanout.on('connection', (ws) => {
  ws.on('error', () => {})
  ws.on('message', (data, isBinary) => {
    for (const client of fanout.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary })
    }
  })
})

createServer()
  .on('upgrade', (req, socket, head) => {
    const server = req.url.startsWith('/fanout') ? fanout : echo
    server.handleUpgrade(req, socket, head, (ws) => server.emit('connection', ws, req))
  })
  .listen(Number(values.port), '127.0.0.1', 4096)
