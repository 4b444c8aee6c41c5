"""The recognizer as a service: REST under ``/v1``, metrics. Needs the packages of ``.[serve]``.

    uvicorn.run(create_app(settings.read()))    # or: recognizer serve
"""
