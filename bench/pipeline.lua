-- Makes wrk send 16 requests in one write, and wait for their 16 answers.
local requests

function init(args)
    local one = wrk.format("GET", "/")
    requests = one:rep(16)
end

function request()
    return requests
end
