// ws and undici as the echoing server or client that wsconform tests, with
// permessage-deflate for every message. ws checks UTF-8 itself, and so does undici.
//
//	node conform.mjs --lib ws --listen 9002
//	node conform.mjs --lib undici --url ws://127.0.0.1:9001 --agent undici
//	node conform.mjs --lib ws --version
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import * as ws from 'ws'
import { Agent, WebSocket as Undici } from 'undici'

const maxMessage = 256 << 20
const { values } = parseArgs({
  options: {
    lib: { type: 'string' },
    version: { type: 'boolean' },
    listen: { type: 'string' },
    url: { type: 'string' },
    agent: { type: 'string' },
    parallel: { type: 'string', default: '8' },
  },
})

// The 0s are for no limit.
const options = {
  perMessageDeflate: { threshold: 0 },
  maxPayload: maxMessage,
  maxFragments: 0,
  maxBufferedChunks: 0,
}
const agent = new Agent({ webSocket: { maxPayloadSize: maxMessage } })
const clients = {
  ws: (url) => new ws.WebSocket(url, options),
  undici: (url) => new Undici(url, { dispatcher: agent }),
}

function serve(port) {
  const server = new ws.WebSocketServer({ ...options, host: '127.0.0.1', port, backlog: 4096 })
  server.on('connection', (c) => {
    c.on('error', () => {})
    c.on('message', (data, isBinary) => c.send(data, { binary: isBinary }))
  })
}

// dial plays one connection, with the API that browsers have, and resolves to the last
// message.
function dial(path, onMessage) {
  return new Promise((resolve) => {
    let last
    let c
    try {
      c = clients[values.lib](values.url + path)
    } catch {
      return resolve()
    }
    c.binaryType = 'arraybuffer'
    c.onmessage = ({ data }) => {
      last = data
      onMessage?.(c, data)
    }
    c.onerror = () => {}
    c.onclose = () => resolve(last)
  })
}

async function play(name) {
  const count = Number(await dial('/getCaseCount'))
  if (!count) {
    throw new Error(`no tester answers at ${values.url}`)
  }
  let next = 1
  await Promise.all(
    Array.from({ length: Number(values.parallel) }, async () => {
      while (next <= count) {
        await dial(`/runCase?case=${next++}&agent=${name}`, (c, data) => c.send(data))
      }
    }),
  )
  await dial(`/updateReports?agent=${name}`)
}

process.on('uncaughtException', (error) => {
  console.error(error)
  if (values.listen) {
    process.exit(1) // as a server that has no such handler does
  }
})
if (values.version) {
  const file = new URL(`node_modules/${values.lib}/package.json`, import.meta.url)
  console.log(`${values.lib} ${JSON.parse(readFileSync(file)).version} on Node ${process.versions.node}`)
} else if (values.listen) {
  serve(Number(values.listen))
} else {
  await play(encodeURIComponent(values.agent ?? values.lib))
  process.exit(0)
}
