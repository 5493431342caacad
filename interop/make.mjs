// JavaScript writes a core and answers requests. Usage: node make.mjs FILE, where FILE holds
// { seed, kind, blocks, requests }, all bytes in hex, requests as sent (type 1). kind is "compat", "v0"
// or "v1". Prints { key, answers } as JSON: an answer is the data message (type 3) or null when refused.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Hypercore from 'hypercore'
import crypto from 'hypercore-crypto'
import { MerkleTree } from 'hypercore/lib/merkle-tree.js'
import { decodeRequest, encodeData, fromHex, toHex } from './wire.mjs'

const { seed, kind, blocks, requests } = JSON.parse(await readFile(process.argv[2], 'utf8'))
const keyPair = crypto.keyPair(fromHex(seed))
const options = {
  compat: { keyPair, compat: true },
  v0: { keyPair, manifest: { version: 0, signers: [{ publicKey: keyPair.publicKey }] } },
  v1: { keyPair }
}[kind]
const dir = await mkdtemp(join(tmpdir(), 'cobox-interop-'))
const core = new Hypercore(dir, options)

// A refused request leaves look-ups behind that nobody waits for.
process.on('unhandledRejection', () => {})

try {
  await core.ready()
  for (const block of blocks) await core.append(fromHex(block))
  const answers = []
  for (const request of requests) answers.push(await answer(request))
  console.log(JSON.stringify({ key: toHex(core.key), answers }))
} finally {
  await core.close()
  await rm(dir, { recursive: true, force: true })
}

// The tree's part and the block, read as the replicator reads them: one batch, flushed once all of it is
// known. (core.proof flushes too early for a request with a seek.)
async function answer (text) {
  const request = decodeRequest(text)
  const batch = core.state.storage.read()
  const block = request.block ? batch.getBlock(request.block.index) : null
  block?.catch(() => {})
  try {
    const proof = await MerkleTree.proof(core.state, batch, request)
    batch.tryFlush()
    const settled = await proof.settle()
    if (settled.block) settled.block.value = await block
    const manifest = request.manifest && !core.core.compat ? core.core.header.manifest : null
    return encodeData({ ...settled, manifest }, request.id)
  } catch {
    batch.destroy()
    return null
  }
}
