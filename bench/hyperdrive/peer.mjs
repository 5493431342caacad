// One JavaScript hyperdrive in one process, told what to do by lines of JSON on standard input and
// answering each with one line on standard output. Its job: to be the peer that CoBox is measured beside.
// Not its job: measuring. The clock is with the caller.

import Corestore from 'corestore'
import Hyperdrive from 'hyperdrive'
import fs from 'fs'
import net from 'net'
import path from 'path'
import readline from 'readline'
import { once } from 'events'
import { pipeline } from 'stream/promises'

// Files put with one flush of the database; that takes about a quarter less processor time than one by one.
const BATCH = 1000
// Files up to this size are put as one buffer, larger ones as a stream.
const WHOLE = 1 << 20

const store = new Corestore(process.argv[2])
let drive = null
let socket = null

async function * filesBelow (folder) {
  for (const entry of await fs.promises.readdir(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name)
    if (entry.isDirectory()) yield * filesBelow(full)
    else yield full
  }
}

async function openDrive (key) {
  drive = key ? new Hyperdrive(store, Buffer.from(key, 'hex')) : new Hyperdrive(store)
  await drive.ready()
}

async function put ({ source }) {
  if (!drive) await openDrive()
  let batch = drive.batch()
  let waiting = 0
  let files = 0
  for await (const file of filesBelow(source)) {
    const name = '/' + path.relative(source, file)
    files++
    if ((await fs.promises.stat(file)).size > WHOLE) {
      await pipeline(fs.createReadStream(file, { highWaterMark: WHOLE }), drive.createWriteStream(name))
      continue
    }
    await batch.put(name, await fs.promises.readFile(file))
    if (++waiting < BATCH) continue
    await batch.flush()
    batch = drive.batch()
    waiting = 0
  }
  await batch.flush()
  return { key: drive.key.toString('hex'), files }
}

function exchange (socket, initiator) {
  socket.setNoDelay(true)
  const stream = store.replicate(initiator)
  stream.on('error', () => {})
  socket.on('error', () => {})
  socket.pipe(stream).pipe(socket)
}

async function listen ({ host, port }) {
  await drive.getBlobs()
  net.createServer((socket) => exchange(socket, false)).listen(port, host)
  return {}
}

// Everything of one feed: its newest signed head, then every block.
async function whole (core) {
  while (core.peers.length === 0) await once(core, 'peer-add')
  await core.update({ wait: true })
  await core.download({ start: 0, end: core.length }).done()
  return core.length
}

async function fetch ({ key, host, port }) {
  if (!drive) await openDrive(key)
  socket = net.connect(port, host)
  await once(socket, 'connect')
  exchange(socket, true)
  const database = await whole(drive.db.core)
  const blobs = await whole((await drive.getBlobs()).core)
  return { database, blobs }
}

async function hangUp () {
  socket.destroy()
  while (drive.db.core.peers.length > 0) await once(drive.db.core, 'peer-remove')
  return {}
}

async function writeOut ({ target }) {
  let files = 0
  for await (const entry of drive.list('/')) {
    const full = path.join(target, entry.key)
    await fs.promises.mkdir(path.dirname(full), { recursive: true })
    await pipeline(drive.createReadStream(entry.key), fs.createWriteStream(full))
    files++
  }
  return { files }
}

async function close () {
  if (drive) await drive.close()
  await store.close()
  return {}
}

const commands = { put, listen, fetch, hangUp, writeOut, close }

await store.ready()
console.log(JSON.stringify({ ready: true }))
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { command, ...input } = JSON.parse(line)
  try {
    console.log(JSON.stringify(await commands[command](input)))
  } catch (error) {
    console.log(JSON.stringify({ error: error.stack }))
  }
  if (command === 'close') break
}
process.exit(0)
