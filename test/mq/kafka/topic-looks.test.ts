import t from 'tap'
import { TopicLooks } from '../../../lib/mq/kafka/topic-looks.js'

/** Looks whose questions are answered by hand, at a time that is set by hand. */
class Scene {
  now = 0
  readonly asked: string[] = []
  readonly told: boolean[] = []
  readonly looks = new TopicLooks(
    async topic => await new Promise((resolve, reject) => {
      this.asked.push(topic)
      this.answer = (state, error) => error === undefined ? resolve(state ?? 'present') : reject(error)
    }),
    answered => this.told.push(answered),
    () => this.now
  )

  answer: (state?: 'present' | 'absent', error?: Error) => void = () => {}

  async asking (topic: string): Promise<void> {
    while (this.asked.at(-1) !== topic) await new Promise(resolve => setImmediate(resolve))
  }
}

t.test('one question is asked at a time, and who asks the same shares the answer', async t => {
  const scene = new Scene()
  const looks = Promise.all(['a', 'a', 'b'].map(async topic => await scene.looks.look(topic)))
  await scene.asking('a')
  scene.answer('absent')
  await scene.asking('b')
  scene.answer('present')
  t.strictSame(await looks, ['absent', 'absent', 'present'])
  t.strictSame(scene.asked, ['a', 'b'])
  t.equal(await scene.looks.look('a'), 'absent', 'a moment later too')
  t.equal(scene.asked.length, 2)
})

t.test('after a second it is asked again, and at once where asked to', async t => {
  const scene = new Scene()
  for (const [now, look] of [[0, 'look'], [999, 'lookAgain'], [1999, 'look']] as const) {
    scene.now = now
    const count = scene.asked.length
    const answer = scene.looks[look]('a')
    while (scene.asked.length === count) await new Promise(resolve => setImmediate(resolve))
    scene.answer()
    t.equal(await answer, 'present')
  }
  t.strictSame(scene.told, [true, true, true])
})

t.test('while Kafka is silent all who wait are told so, for a second', async t => {
  const scene = new Scene()
  const looks = Promise.all(['a', 'b', ''].map(async topic => await scene.looks.look(topic)))
  await scene.asking('a')
  scene.answer(undefined, new Error('timed out'))
  t.strictSame(await looks, ['silent', 'silent', 'silent'])
  t.equal(await scene.looks.lookAgain('c'), 'silent')
  t.strictSame(scene.asked, ['a'])
  t.strictSame(scene.told, [false])

  scene.now = 1000
  const again = scene.looks.look('a')
  while (scene.asked.length === 1) await new Promise(resolve => setImmediate(resolve))
  scene.answer()
  t.equal(await again, 'present')
})
