import t from 'tap'
import { CloseCode } from '../../lib/protocol/close-codes.js'
import { body, text } from '../helpers/client.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { until } from '../helpers/until.js'
import { MiniProgram } from './mini-program.js'
import { Person } from './person.js'
import { StartedExample } from './started-example.js'

t.test('the command prepares the mini program, and somebody chats in it', async t => {
  const example = StartedExample.start(t, 'wechat-page', { PORT: '0' })
  const url = await example.printed(/The gateway is (\S+)/)
  const program = new MiniProgram(t, await example.printed(/The mini program is ready in (\S+)/))
  program.require('config.js').url = url
  const page = program.launch()
  page.handleSignIn({ detail: { value: { name: ' lin ' } } })
  await until('lin is connected', () => page.data.state === 'connected')
  const bob = await Person.connect(t, { url, user: 'bob' })

  page.handleSend({ detail: { value: { text: '大家好' } } })
  // On a busy machine a hook may miss its 150 ms.
  await until('the message is sent', () => {
    const [{ id, status }] = page.data.messages
    if (status.startsWith('failed')) page.handleRetry({ currentTarget: { dataset: { id } } })
    return status === 'sent'
  })
  await bob.received(1)
  t.match(bob.messages[0], { userId: 'lin', groupId: 'lobby', text: '大家好' })

  await bob.send({ toUserId: 'lin' }, '你好')
  await until('the answer is there', () => page.data.messages.length === 2)
  t.match(page.data.messages[1], { from: 'bob', to: 'lin', text: '你好', isOwn: false })

  page.handleGroup({ detail: { value: false } })
  page.handleTo({ detail: { value: 'bob' } })
  page.handleSend({ detail: { value: { text: 'forbidden' } } })
  await until('it has failed', () => page.data.messages[2].status === 'failed: forbidden word')

  page.handleSignOut()
  await until('its socket is closed', () => program.phone.sockets.size === 0)
  t.match(page.data, { isSignedIn: false, messages: [] })
  await example.pressCtrlC()
})

t.test('without a network the page says so, and sends what waits when it is back', async t => {
  const gateway = await startPatientGateway(t)
  const example = StartedExample.start(t, 'wechat-page', { MICS_URL: gateway.url.replace('http', 'ws') })
  const program = new MiniProgram(t, await example.printed(/The mini program is ready in (\S+)/))
  t.equal(await example.ended(), 0)
  t.match(example.output, /Put that address into config\.js, which says ws:\/\/127\.0\.0\.1:8080/)
  Object.assign(program.require('config.js'), { url: gateway.url.replace('http', 'ws'), tenantId: 't1' })
  const page = program.launch()
  page.handleSignIn({ detail: { value: { name: 'lin' } } })
  await until('lin is connected', () => page.data.state === 'connected')
  const bob = await gateway.connect('bob')

  program.phone.refusal = 'no network'
  program.phone.drop()
  await until('the page says it', () => page.data.state === 'no connection, trying again')
  page.setData({ to: 'bob', isGroup: false })
  page.handleSend({ detail: { value: { text: 'from the tunnel' } } })
  t.equal(page.data.messages[0].status, 'waiting')
  program.phone.refusal = undefined
  program.phone.changeNetwork(true)
  t.equal(text((await bob.waitMessages(1))[0]), 'from the tunnel')
  await until('the page has the answer', () => page.data.messages[0].status === 'sent')
  t.match(await bob.sendAndAck({ toUserId: 'lin', msgBody: body('welcome back') }), { status: 0 })
  await until('it is there', () => page.data.messages.length === 2)

  const [session] = gateway.server.app.connections.ofUser('t1', 'lin')
  session.close(CloseCode.AUTH_FAILED, 'your token has run out')
  await until('the page says why', () => page.data.state === 'your token has run out (4001)')
})

t.test('what the page\'s view names is there', async t => {
  const program = new MiniProgram(t, 'examples/wechat-page')
  const { pages } = JSON.parse(program.read('app.json'))
  for (const path of pages) {
    const wxml = program.read(`${path}.wxml`)
    const script = program.read(`${path}.js`)
    for (const [, handler] of wxml.matchAll(/bind\w+="(\w+)"/g)) t.match(script, new RegExp(`^  (async )?${handler} \\(`, 'm'), handler)
    const data = /data: \{(.*)\}/.exec(script)?.[1] ?? ''
    for (const [, name] of wxml.matchAll(/\{\{!?(\w+)\}\}/g)) t.match(data, new RegExp(`\\b${name}:`), name)
    for (const [, name] of wxml.matchAll(/item\.(\w+)/g)) t.match(script, new RegExp(`\\b${name}\\b`), name)
    t.ok(JSON.parse(program.read(`${path}.json`)))
    t.ok(program.read(`${path}.wxss`))
  }
})
