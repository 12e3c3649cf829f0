import { chromium, type Browser } from 'playwright-core'
import t, { type Test } from 'tap'
import { launchChromium } from '../../helpers/chromium.js'
import { freePort } from '../../helpers/free-port.js'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import { Tabs } from './browser-tab.js'
import { wsUrl } from './sdk-client.js'

/**
 * A browser that treats hidden tabs as it does for people, and slows them down to a timer a minute after 3 seconds
 * instead of 5 minutes. Tests of other things want neither: what drives the browser tells all tabs that they are seen,
 * unless it only joins.
 */
async function launchAsForPeople (t: Test): Promise<Browser> {
  const port = await freePort()
  const launched = await launchChromium({
    ignoreDefaultArgs: [
      '--disable-background-timer-throttling', '--disable-renderer-backgrounding', '--disable-backgrounding-occluded-windows',
    ],
    args: [`--remote-debugging-port=${port}`, '--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/3'],
  })
  t.teardown(async () => await launched.close())
  return await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true })
}

t.test('a hidden tab, whose timers hardly go any more, keeps its connection', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.config = { heartbeatTimeoutSeconds: 6 }
  const tabs = await Tabs.start(t, { launch: async () => await launchAsForPeople(t) })
  const url = (): string => wsUrl(gateway.url)
  const alice = await tabs.open({ url, token: () => 'valid:alice', deviceId: 'd1', heartbeatTimeoutMs: 6000 }, tabs.window)
  await alice.connect()
  const other = await tabs.window.newPage()
  await other.bringToFront()
  t.equal(await alice.page.evaluate('document.visibilityState'), 'hidden')
  const beats = (): number => alice.frames.filter(direction => direction === 'out').length
  let beatsAtTick = beats()
  alice.onTold('tick', () => { beatsAtTick = beats() })
  await alice.page.evaluate("setInterval(() => tell('tick'), 2000)")
  // A timer of the page that is due every 2 seconds stands still for as long as 6 heartbeats take: for 12.
  await alice.until(() => beats() - beatsAtTick >= 6 || alice.state.name !== 'connected')
  t.equal(alice.state.name, 'connected')
  t.equal(alice.times('connected'), 1)

  const bob = await gateway.connect('bob')
  await bob.sendAndAck({ toUserId: 'alice', msgBody: Buffer.from('are you there?') })
  await alice.until(() => alice.texts.includes('are you there?'))
})
