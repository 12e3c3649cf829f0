import { Script } from '../redis/script.js'

// All of them take the two hashes of one user: device → `member|order|attempt`, and member → messages held.

const route = `
local online, offline = KEYS[1], KEYS[2]
local function parse (value) return string.match(value, '^(.*)|(%d+)|(%w*)$') end
`

/** Whether a member has neither a route nor a holding of the user any more: 1 or 0. */
const isFreeOf = `
local function isFreeOf (memberKey)
  if redis.call('HEXISTS', offline, memberKey) == 1 then return 0 end
  for _, value in ipairs(redis.call('HVALS', online)) do
    if parse(value) == memberKey then return 0 end
  end
  return 1
end
`

export const RegisterStatus = {
  REGISTERED: 0,
  REFUSED: 1,
  REPLACED: 2,
  /** It depends on a member that is neither among the live nor among the gone ones. */
  UNSURE: 3,
} as const

/**
 * ARGV: this member, device, attempt, most devices, order or '', how many live members follow, those, the gone ones.
 * Returns: status, order, the device's former member or '', members of the other devices, members that hold something.
 */
export const registerScript = new Script(`${route}
local me, device, attempt, maxDevices, order = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local isLive, isGone = { [me] = true }, {}
for i = 7, 6 + ARGV[6] do isLive[ARGV[i]] = true end
for i = 7 + ARGV[6], #ARGV do isGone[ARGV[i]] = true end

local former, formerOrder = '', 0
local live, unknown, others = 0, 0, {}
local stored = redis.call('HGETALL', online)
for i = 1, #stored, 2 do
  local memberKey, itsOrder = parse(stored[i + 1])
  if stored[i] == device then
    formerOrder = tonumber(itsOrder)
    if not isGone[memberKey] then former = memberKey end
  elseif isGone[memberKey] then
    redis.call('HDEL', online, stored[i])
  else
    others[#others + 1] = memberKey
    if isLive[memberKey] then live = live + 1 else unknown = unknown + 1 end
  end
end
local holders = redis.call('HKEYS', offline)

local status = ${RegisterStatus.REGISTERED}
if order then
  if former ~= '' and formerOrder > order then
    status = isLive[former] and ${RegisterStatus.REPLACED} or ${RegisterStatus.UNSURE}
  end
elseif maxDevices > 0 and live + unknown >= maxDevices and not isLive[former] then
  status = live >= maxDevices and former == '' and ${RegisterStatus.REFUSED} or ${RegisterStatus.UNSURE}
end
if status ~= ${RegisterStatus.REGISTERED} then return { status, 0, former, others, holders } end

if not order then
  local time = redis.call('TIME')
  order = math.max(time[1] * 1000000 + time[2], formerOrder + 1)
end
redis.call('HSET', online, device, me .. '|' .. string.format('%d', order) .. '|' .. attempt)
return { status, order, former, others, holders }
`)

/**
 * Removes a route of a member where it is still the one with this order, or of this attempt; '' is that of none.
 * ARGV: member, device, order, attempt. Returns: 1 where nothing of the user is left with the member.
 */
export const removeScript = new Script(`${route}${isFreeOf}
local value = redis.call('HGET', online, ARGV[2])
if value then
  local memberKey, order, attempt = parse(value)
  if memberKey == ARGV[1] and (order == ARGV[3] or attempt == ARGV[4]) then redis.call('HDEL', online, ARGV[2]) end
end
return isFreeOf(ARGV[1])
`)

/** ARGV: this member, messages. Returns: the user's routes, and 1 where nothing of it is left with this member. */
export const holdScript = new Script(`${route}${isFreeOf}
if tonumber(ARGV[2]) > 0 then redis.call('HSET', offline, ARGV[1], ARGV[2])
else redis.call('HDEL', offline, ARGV[1]) end
return { redis.call('HVALS', online), isFreeOf(ARGV[1]) }
`)

/** ARGV: the dead member. Returns: routes removed, and messages that it held. */
export const buryScript = new Script(`${route}
local routes = 0
local stored = redis.call('HGETALL', online)
for i = 1, #stored, 2 do
  if parse(stored[i + 1]) == ARGV[1] then routes = routes + redis.call('HDEL', online, stored[i]) end
end
local messages = tonumber(redis.call('HGET', offline, ARGV[1]) or 0)
redis.call('HDEL', offline, ARGV[1])
return { routes, messages }
`)
