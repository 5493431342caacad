// Data messages (type 3) and requests (type 1) between hex text and JavaScript hypercore's own objects.

import c from 'compact-encoding'
import messages from 'hypercore/lib/messages.js'

const { data, request } = messages.wire

export const fromHex = (text) => Buffer.from(text, 'hex')
export const toHex = (bytes) => Buffer.from(bytes).toString('hex')
export const decodeData = (text) => c.decode(data, fromHex(text))
export const decodeRequest = (text) => c.decode(request, fromHex(text))
export const encodeData = (proof, id) => toHex(c.encode(data, { request: id, ...proof }))
