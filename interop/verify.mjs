// A fresh JavaScript core that knows only the key takes proofs made by us, keeps the blocks and reads
// them back. Usage: node verify.mjs FILE, where FILE holds { key, proofs: [{ data, good }], blocks },
// all bytes in hex. Prints "ok", or says what went wrong and exits with 1.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Hypercore from 'hypercore'
import { decodeData, fromHex, toHex } from './wire.mjs'

const feed = JSON.parse(await readFile(process.argv[2], 'utf8'))
const dir = await mkdtemp(join(tmpdir(), 'cobox-interop-'))
const core = new Hypercore(dir, fromHex(feed.key))

try {
  await core.ready()
  for (const [at, { data, good }] of feed.proofs.entries()) {
    const taken = await offer(data)
    if (taken !== good) throw new Error(`proof ${at} was ${taken ? 'taken' : 'refused'}`)
  }
  if (core.length !== feed.blocks.length) throw new Error(`length is ${core.length}`)
  for (const [at, expected] of feed.blocks.entries()) {
    const block = await core.get(at, { wait: false })
    if (block === null || toHex(block) !== expected) throw new Error(`block ${at} differs`)
  }
  console.log('ok')
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await core.close()
  await rm(dir, { recursive: true, force: true })
}

// True when the core verified and stored it.
async function offer (data) {
  try {
    return await core.applyProof(decodeData(data))
  } catch {
    return false
  }
}
