import t from 'tap'
import { checkHookUrl } from '../../lib/tenants/hook-url.js'

t.test('http and https URLs are fine, with or without port, path and slash', async t => {
  for (const url of ['http://hook', 'https://hook.example', 'HTTP://hook:8081', 'http://10.0.0.1:1/', 'http://[::1]:8081/a/b/', 'http://hook/base']) {
    t.equal(checkHookUrl(url), undefined, url)
  }
})

t.test('anything else is told what is wrong with it, without being repeated', async t => {
  const bad: [string, RegExp][] = [
    ['', /not a URL/], ['hook:8081', /does not begin/], ['//hook', /not a URL/], ['ftp://hook', /does not begin/],
    ['file:///etc/passwd', /does not begin/], ['http:hook', /two slashes/], ['http://', /not a URL/],
    ['http://user:pass@hook', /password/], ['http://user@hook', /password/], ['http://hook?', /query/],
    ['http://hook/?a=b', /query/], ['http://hook#x', /fragment/], ['http://hook#', /fragment/],
    [' http://hook', /space/], ['http://ho\nok', /space or a control/], ['http://hook:99999', /not a URL/],
    [`http://hook/${'x'.repeat(3000)}`, /longer than 2048/],
  ]
  for (const [url, problem] of bad) {
    const found = checkHookUrl(url) ?? ''
    t.match(found, problem, url.slice(0, 40))
    t.notOk(found.includes('pass@'))
  }
})
