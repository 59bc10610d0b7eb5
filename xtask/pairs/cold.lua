-- wrk: one of 32,768 files, at random.
math.randomseed(os.time())
request = function()
  return wrk.format("GET", string.format("/%05d", math.random(0, 32767)))
end
