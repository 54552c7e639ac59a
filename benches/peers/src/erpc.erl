%% Both ends of the echo. The serving node waits until its input ends; the calling one takes commands.
-module(echo).
-export([serve/0, call/1, give_back/1]).

serve() ->
    io:format("ready~n"),
    wait().

wait() ->
    case io:get_line("") of
        eof -> halt(0);
        _ -> wait()
    end.

give_back(Body) -> Body.

%% Each command is: bytes, callers, milliseconds. Each answer: calls, microseconds that they took in
%% all, and nanoseconds of the median call if there was one caller.
call(Server) ->
    ok = erpc:call(Server, erlang, binary_to_atom, [<<"ok">>]),
    io:format("ready~n"),
    obey(Server).

obey(Server) ->
    case io:get_line("") of
        eof ->
            halt(0);
        Line ->
            {ok, [Size, Callers, Millis], _} = io_lib:fread("~d ~d ~d", Line),
            io:format("~b ~b ~b~n", round(Server, Size, Callers, Millis)),
            obey(Server)
    end.

round(Server, Size, Callers, Millis) ->
    Body = binary:copy(<<7>>, Size),
    Start = erlang:monotonic_time(nanosecond),
    End = Start + Millis * 1000000,
    Self = self(),
    Loop = fun() -> Self ! {done, loop(Server, Body, End, Callers, 0, [])} end,
    [spawn_link(Loop) || _ <- lists:seq(1, Callers)],
    Done = [receive {done, Result} -> Result end || _ <- lists:seq(1, Callers)],
    Took = erlang:monotonic_time(nanosecond) - Start,
    Times = lists:sort(lists:append([Each || {_, Each} <- Done])),
    Median = lists:nth(length(Times) div 2 + 1, Times ++ [0]),
    [lists:sum([Calls || {Calls, _} <- Done]), Took div 1000, Median].

loop(Server, Body, End, Callers, Calls, Times) ->
    Before = erlang:monotonic_time(nanosecond),
    case Before < End of
        true ->
            Body = erpc:call(Server, echo, give_back, [Body]),
            After = erlang:monotonic_time(nanosecond),
            Time = case Callers of 1 -> [After - Before | Times]; _ -> Times end,
            loop(Server, Body, End, Callers, Calls + 1, Time);
        false ->
            {Calls, Times}
    end.
