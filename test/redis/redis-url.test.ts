import t from 'tap'
import { checkRedisUrl, maskRedisUrl, parseRedisUrl, redisPlace, type RedisUrl } from '../../lib/redis/redis-url.js'

const byDefault: RedisUrl = {
  kind: 'single',
  tls: false,
  addresses: [{ host: 'redis', port: 6379 }],
  user: '',
  password: '',
  database: 0,
  masterName: '',
  sentinelUser: '',
  sentinelPassword: '',
}

const forms: Record<string, Partial<RedisUrl>> = {
  'redis://redis': {},
  'redis://redis/': {},
  'redis://redis:6380/2': { addresses: [{ host: 'redis', port: 6380 }], database: 2 },
  'redis://[::1]:6380': { addresses: [{ host: '::1', port: 6380 }] },
  'redis://[::1]': { addresses: [{ host: '::1', port: 6379 }] },
  'redis://:secret@redis': { password: 'secret' },
  'redis://user:p%40s%3As%2F%23%25%3F@redis': { user: 'user', password: 'p@s:s/#%?' },
  'redis://user:p@ss@redis': { user: 'user', password: 'p@ss' },
  'redis://us%3Aer:a:b@redis': { user: 'us:er', password: 'a:b' },
  'rediss://redis.example': { tls: true, addresses: [{ host: 'redis.example', port: 6379 }] },
  'redis-sentinel://a,b:26380/3#main': {
    kind: 'sentinel', addresses: [{ host: 'a', port: 26379 }, { host: 'b', port: 26380 }], database: 3, masterName: 'main',
  },
  'redis-sentinel://user:secret@a?sentinelUser=s%26u&sentinelPassword=s%3Dp#my%20main': {
    kind: 'sentinel',
    addresses: [{ host: 'a', port: 26379 }],
    user: 'user',
    password: 'secret',
    masterName: 'my main',
    sentinelUser: 's&u',
    sentinelPassword: 's=p',
  },
  'rediss-sentinel://a#main': { kind: 'sentinel', tls: true, addresses: [{ host: 'a', port: 26379 }], masterName: 'main' },
  'redis-cluster://:secret@a:7000,[::2]:7001,10.0.0.3': {
    kind: 'cluster',
    addresses: [{ host: 'a', port: 7000 }, { host: '::2', port: 7001 }, { host: '10.0.0.3', port: 6379 }],
    password: 'secret',
  },
  'rediss-cluster://a/': { kind: 'cluster', tls: true, addresses: [{ host: 'a', port: 6379 }] },
}

for (const [url, expected] of Object.entries(forms)) {
  t.test(`${url} is read`, async t => {
    t.equal(checkRedisUrl(url), undefined)
    t.strictSame(parseRedisUrl(url), { ...byDefault, ...expected })
  })
}

const refusals: Record<string, RegExp> = {
  hunter2: /^is not a URL; special/,
  'http://hunter2': /^does not begin with redis:\/\//,
  'constructor://hunter2': /^does not begin/,
  'redis-sentinels://hunter2': /^does not begin/,
  'redis://': /^names no host/,
  'redis://:hunter2@': /^names no host/,
  'redis://a,hunter2': /^names several hosts: begin with redis-sentinel:\/\/ or redis-cluster:\/\//,
  'redis://hunter2@a': /^has a user without a password; a password alone is written :password@/,
  'redis://hunter2:@a': /^has an empty password/,
  'redis://:hunter2/x@a': /^has no host or host:port; special characters of a password are percent-encoded/,
  'redis://:hunter2#x@a': /^has no host or host:port; special/,
  'redis://:hunter2%@a': /^has a % that begins no percent-encoding; a % itself is written %25/,
  'redis://hunter2:99999': /^has no host or host:port/,
  'redis://::1': /^has no host or host:port/,
  'redis://a/hunter2': /^has something other than a database number/,
  'redis://a?password=hunter2': /^has a query; only redis-sentinel/,
  'redis://a#hunter2': /^has a # that only redis-sentinel:\/\/ has/,
  'redis-cluster://a,hunter2:0': /^has no host or host:port at position 2 of the list/,
  'redis-cluster://a,hunter2/1': /^has something after the hosts; a Redis Cluster has no database numbers/,
  'redis-cluster://a#hunter2': /^has a #/,
  'redis-sentinel://hunter2': /^names no master; it ends in #/,
  'redis-sentinel://hunter2#': /^names no master/,
  'redis-sentinel://a?hunter2=1#m': /^has a query; only/,
  'redis-sentinel://a?sentinelUser=hunter2#m': /^has a sentinelUser without sentinelPassword/,
}

for (const [url, problem] of Object.entries(refusals)) {
  t.test(`${url} is refused, and not repeated`, async t => {
    const told = checkRedisUrl(url)
    t.match(told, problem)
    t.notMatch(told, 'hunter2')
    t.throws(() => parseRedisUrl(url), { code: 'MICS_REDIS_URL', message: told })
    t.notMatch(maskRedisUrl(url), 'hunter2')
  })
}

t.test('passwords are masked, and nothing else', async t => {
  t.equal(maskRedisUrl('redis://redis:6379/1'), 'redis://redis:6379/1')
  t.equal(maskRedisUrl('redis://user:hunter2@redis:6379/1'), 'redis://user:****@redis:6379/1')
  t.equal(maskRedisUrl('redis://:a:hunter2@b@redis'), 'redis://:****@redis')
  t.equal(maskRedisUrl('rediss-cluster://user:hunter2@a:1,b:2'), 'rediss-cluster://user:****@a:1,b:2')
  t.equal(maskRedisUrl('redis-cluster://a:1,b:2'), 'redis-cluster://a:1,b:2')
  t.equal(maskRedisUrl('redis-sentinel://:hunter2@a:1,b/2?sentinelUser=u&sentinelPassword=hunter2#m'),
    'redis-sentinel://:****@a:1,b/2?sentinelUser=u&sentinelPassword=****#m')
})

t.test('the place names hosts and the master, and no credentials', async t => {
  t.equal(redisPlace(parseRedisUrl('redis://user:hunter2@[::1]')), '[::1]:6379')
  t.equal(redisPlace(parseRedisUrl('redis-sentinel://user:hunter2@a,b:1?sentinelPassword=hunter2#m')), 'a:26379, b:1 (master m)')
})
