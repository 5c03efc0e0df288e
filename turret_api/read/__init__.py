"""The read API, `/v1/…`: answers from the lake's tables alone.

    http/        all that knows HTTP: a request becomes a question, an answer becomes a response
      │
    questions/   each question is a frozen value: the tables that it is answered from, and the answer that it makes
      │
    sql/         the same answers as SQL, to count them again: what the statements of several questions share
      │
    views/       what several questions see of the tables, as frames: topics, messages, steps, visits, values
      │
    engine/      snapshots of the lake, answers that are kept, and the process in which questions are worked out

Each room imports only those below it. `changes` writes what people choose about fields and topics, `notebook` what they
note and keep; `__main__` is the process in which questions are worked out.
"""
