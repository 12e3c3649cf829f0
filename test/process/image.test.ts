import { once } from 'node:events'
import t from 'tap'
import { AckStatus, body, text } from '../helpers/client.js'
import { freePort } from '../helpers/free-port.js'
import { HookServer } from '../helpers/hook-server.js'
import { readDocument } from '../helpers/markdown.js'
import { imageNodeVersion } from '../../scripts/find-image-node.js'
import { Image } from './image.js'
import { connectPatiently, MicsProcess } from './mics-process.js'

t.test('what the Dockerfile makes runs on the Node.js of its image, for nobody, where nothing can be written', async t => {
  t.match(readDocument('Dockerfile'), `FROM node:${imageNodeVersion.split('.')[0]}-slim\n`)
  const image = Image.build(t)
  const hooks = await HookServer.start()
  t.teardown(async () => await hooks.close())
  const env = {
    HOST: '127.0.0.1', PORT: String(await freePort()), TENANT_AUTH_MAP: `t1=${hooks.url}`, DRAIN_TIMEOUT_SECONDS: '1',
  }
  const gateway = MicsProcess.of(t, image.start(env))
  const url = await gateway.url()
  t.strictSame(await once(image.checkHealth(env), 'close'), [0, null])
  const [alice, bob] = await Promise.all(['alice', 'bob'].map(user => connectPatiently(t, url, { token: `valid:${user}` })))
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: body('hello') }), { status: AckStatus.SENT })
  t.strictSame((await bob.waitMessages(1)).map(text), ['hello'])
  const check = MicsProcess.of(t, image.start(env, ['config', 'check']))
  t.equal(await check.ended, 0)
  t.match(check.stdout, 'TENANT_AUTH_MAP')
  gateway.signal('SIGTERM')
  t.match(await bob.closed, { code: 4200 })
  t.equal(await gateway.ended, 0)
  t.not((await once(image.checkHealth(env), 'close'))[0], 0, 'nor does it say that it is well when it is gone')
})
